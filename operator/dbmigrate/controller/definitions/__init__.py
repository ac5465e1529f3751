"""The CustomResourceDefinitions: installing them, and working without them."""
