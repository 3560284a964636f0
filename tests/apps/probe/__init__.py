"""Pages and websockets that tell what Django sees, take their time, and echo."""
