"""What the expert `read` is made of: two OCR engines, turned text, reading order."""
