"""What a page is made of: format, palette → blocks → drawing → page."""
