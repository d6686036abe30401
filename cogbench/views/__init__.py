"""What people see: tables, cards, trees, pages and figures."""
