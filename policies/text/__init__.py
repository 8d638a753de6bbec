"""The text path of the native controller: from read lines to a prompt, and from the prompt to an answer held to the lines."""
