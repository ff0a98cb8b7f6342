"""Alembic's environment: the connection is handed in by `migrate`; there is no other way to run a step."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
