"""The digital twin: what the network knows of its vehicles and sites, how old it is, and what it expects of them."""
