"""The text path of the native controller: from read lines to a prompt, and on to an answer held to the lines."""
