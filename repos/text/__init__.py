"""What pages make of files' text: colours, Markdown as HTML, and the characters that nobody sees."""
