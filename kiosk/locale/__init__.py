"""Catalogues of translations, one directory a language, and the template that they start from."""
