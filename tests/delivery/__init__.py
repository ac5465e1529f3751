"""How the product reaches people: compose, the action for GitHub, workflows, the image."""
