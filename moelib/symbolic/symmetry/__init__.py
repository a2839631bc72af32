"""What a model's parameters may do without changing it: fields, flows, invariants, discrete symmetries."""
