"""Functions as polynomials in kernels: zero tests, relations, independence, certificates."""
