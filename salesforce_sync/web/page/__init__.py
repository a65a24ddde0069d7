"""The page: every screen as HTML that the server renders. `making.pages` puts it into the application."""
