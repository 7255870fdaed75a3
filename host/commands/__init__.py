"""What ``guichet-host`` can do, a module a command. Each has ``add(commands)`` and runs with parsed arguments.

Exit statuses: 0 done; 1 something was found or could not be done; 2 wrong usage or configuration.
"""
