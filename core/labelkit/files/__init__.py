"""Files as labelkit reads and writes them: atomic writes, text and compressed files, JSON."""
