"""Messages of devices: how they come in, who may send them, what is taken of them and what is refused."""
