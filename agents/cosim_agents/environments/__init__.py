"""Environments of Gymnasium and PettingZoo as environments of rows, on which every agent of the catalogue trains."""
