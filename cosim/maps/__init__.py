"""Map folders: importing, generating, drawing, and placing of sites."""
