"""HingeLab: a curve of straight pieces put together from hinges, by hand, by least squares or by descent."""
