"""How fast a QKD link makes keys: pure models of numbers."""
