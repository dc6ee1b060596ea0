"""Loss against measured parameter count: what a bigger budget buys."""
