"""What a terminal shows: tables, instants on its clock."""
