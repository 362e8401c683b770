"""The one exception meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend: the message names the key or file, what was expected and what to do.

    Raised wherever input enters. Scripts and the Snakefile show it as one message without a traceback.
    """
