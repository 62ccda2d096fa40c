"""What Alembic runs for each command."""

from alembic import context

from activities.records import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.METADATA,
    render_as_batch=True,
    include_object=lambda _, name, kind, *__: (kind, name) != ("table", schema.VERSION.name),
    user_module_prefix="schema.",
)
with context.begin_transaction():
    context.run_migrations()
