"""The one exception meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend: the message names the key or file, what was expected and what to do.

    Raised wherever input enters. Scripts and the Snakefile show it as one message without a traceback. Names that it
    quotes from files and archives of others cannot steer a terminal.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: str) -> str:
    """The text with escapes for what has no sign of its own, such as line breaks and codes of a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
