"""Who moves the bytes: sites in one process (`memory`) and between processes and machines (`socket`)."""
