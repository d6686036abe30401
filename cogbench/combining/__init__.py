"""How tasks are combined: tasks made of other tasks, and backbones that train several of them."""
