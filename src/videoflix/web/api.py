page_handlers: list = []
