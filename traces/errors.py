"""The one exception for a mistake of the user: the command line prints it as a single line."""


class UserError(Exception):
    """A wrong file, value or command; the message names the file, the value and the rule that it breaks."""
