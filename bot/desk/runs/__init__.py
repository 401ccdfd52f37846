"""Runbooks under way: started, carried on step by step, waiting, taken back, over."""
