"""What is asked, what is found, what is decided. Pure: no I/O, no clock, no asyncio."""
