"""A simulated scanner: scenes, physics, vendor write habits."""
