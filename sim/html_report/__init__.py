"""`moefetch report`: one HTML page from what a comparison wrote."""
