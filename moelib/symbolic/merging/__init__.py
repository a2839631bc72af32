"""The information of a contaminated mixture whose new component comes close to the known one, in powers of the gap."""
