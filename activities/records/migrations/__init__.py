"""Changes of the schema, in order, by Alembic. `make migration` writes one from what `schema.py` has become.

Expand, deploy, contract: a migration adds what the new version needs, and the version before goes on beside it. What
only that one used is removed by a later migration, whose number then names itself alone (`schema.usable`).
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

HERE: Final = Path(__file__).parent


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the missing migrations, in the caller's transaction: if it is killed, the schema is that of before."""
    command.upgrade(config(connection), revision)


def config(connection: Connection) -> Config:
    alembic_config = Config()
    alembic_config.set_main_option("script_location", str(HERE))
    alembic_config.attributes["connection"] = connection
    return alembic_config
