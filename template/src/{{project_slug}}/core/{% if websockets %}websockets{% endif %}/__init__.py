"""Websockets: what every one of them gets, whichever application it belongs to."""
