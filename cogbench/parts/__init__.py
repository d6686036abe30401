"""What plugins supply, and how parts are found, named, varied and told apart."""
