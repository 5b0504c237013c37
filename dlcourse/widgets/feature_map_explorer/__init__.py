"""See what the units of your own convolutional network answer to, on your own drawing."""
