"""What other parts of the product ask of both stores: a value by its name, read as somebody.

Builds fill their variables so, and registry and source credentials that name a secret.
"""

from codeservices.secretstore.parameters.reading import parameter_value
from codeservices.secretstore.secrets_manager.reading import secret_value

__all__ = ["parameter_value", "secret_value"]
