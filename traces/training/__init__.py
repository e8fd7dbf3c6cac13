"""Training of the small language model whose routing the shipped recordings show (`make record`)."""
