"""What nobody may read: canaries sent through the whole of it, and looked for wherever something is written down."""
