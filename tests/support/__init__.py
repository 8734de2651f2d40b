"""What tests use beside the product: tools of the machine, private servers, whole installations."""
