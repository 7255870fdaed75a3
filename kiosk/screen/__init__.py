"""The kiosk's screen: a process of its own that shows the view the terminal sends and returns what was touched.

It knows no flow. ``presenters`` turn a view into a :mod:`scene <kiosk.screen.scene>`, plain values without Kivy;
``scenes`` and ``widgets`` draw a scene; ``glass`` puts it on the window and hears the touches; ``link`` talks to the
terminal; ``app`` joins them in one loop.
"""
