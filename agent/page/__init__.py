"""The page of `p2g ui`: a small static application (HTML, CSS, JavaScript modules) and the few routes it needs besides
`/v1/ask`. Nothing is built and nothing comes from elsewhere: it works offline."""
