"""What a page is made of: palette → blocks → drawing → page; format → columns."""
