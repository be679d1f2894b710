"""How each product is spoken to, over one session."""
