"""The air between vehicles and sites: path loss, link, shared cells, handover."""
