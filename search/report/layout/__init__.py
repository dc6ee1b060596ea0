"""What a page is made of: format, palette → drawing → blocks → page."""
