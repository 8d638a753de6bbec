"""Text that comes from an image or an expert is data: `neutralise` takes the power out of it and leaves it readable.

Special tokens of any chat model, tool-call tags, role headers and images in Markdown lose the characters that make a
tokenizer, a chat template or a renderer act on them (`<|im_end|>` becomes `‹|im_end|›`); invisible and control
characters go. Ordinary text, prices, addresses and code stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_TAGS = (
    "s|pad|unk|bos|eos|cls|sep|mask|im_start|im_end|image|images|img|video|audio|image_soft_token|image_pad|"
    "(?:start|end)_of_(?:turn|image|audio|role|text|plugin)|end_of_utterance|fake_token_around_image|global-img|"
    r"row_\d+_col_\d+|think|thinking|thought|reasoning|answer|call|calls|tool|tools|tool_calls?|tool_response|"
    "tool_outputs?|tool_results?|tool_code|functions?|function_calls?|function_results?|function_response|"
    "(?:start|end)_function_(?:call|response|declaration)|invoke|parameters?|arg_key|arg_value|observation|system|"
    r"system_prompt|user|assistant|human|model|developer|region|box|ref|quad|point|patch|loc\d+|seg\d+|extra_id_\d+|"
    r"unused_?\d+|reserved_?\d+|special_?\d+|fim_\w{1,20}|grounding|phrase|object|patch_index_\d+|endoftext|"
    r"repo_?name|file_sep|filename|gh_stars|issue_(?:start|comment|closed)|jupyter_\w{1,20}|empty_output|"
    "eop|eod|eot|eom|sop|bot|begin_of_image|end_of_box|begin_of_box|0x[0-9a-f]{2}"
)
_BRACKETS = (
    "INST|SYS|TOOL_CALLS?|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|SYSTEM_PROMPT|MODEL_SETTINGS|THINK|"
    r"IMG|IMG_BREAK|IMG_END|AUDIO|CLS|SEP|PAD|MASK|UNK|BOS|EOS|gMASK|sMASK|REF|PREFIX|SUFFIX|MIDDLE|control_\d+|unused\d+"
)
_MARKER = re.compile(
    r"[<＜]/?[|｜][^<>＜＞\n]{0,80}[|｜][>＞]"
    r"|<<\s?/?SYS\s?>>"
    rf"|[<＜]\s?/?\s?(?:{_TAGS})\s?/?[>＞]"
    r"|[<＜]/?(?:function|parameter|tool|invoke|img|image)[=\s][^<>＜＞\n]{0,200}[>＞]",
    re.IGNORECASE,
)
_BRACKET = re.compile(rf"\[/?(?:{_BRACKETS})\]")
_HARMLESS = str.maketrans({"<": "‹", "＜": "‹", ">": "›", "＞": "›", "[": "(", "]": ")"})
_ROLE = re.compile(
    r"^([ \t>#*_-]{0,8}(?:system|user|assistant|human|developer|tool|instruction|response|chatgpt|gpt)[ \t*_]{0,4}):",
    re.IGNORECASE | re.MULTILINE,
)
_ROLE_LINE = re.compile(r"^(system|user|assistant|tool)(?=\n)", re.MULTILINE)
_IMAGE_LINK = re.compile(r"!(?=\[)")
_NEWLINES = re.compile("\r\n?|[\u2028\u2029\u0085\x0b\x0c]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def neutralise(text: str, extra_tokens: Iterable[str] = ()) -> str:
    """`text` without power over a prompt. Idempotent; linear in the length of the text.

    `extra_tokens` are the special and added tokens of the tokenizer at hand, for those that the general rules do not
    know. A token of one character or of white space alone cannot be kept out.
    """
    text = _INVISIBLE.sub("", _NEWLINES.sub("\n", _SURROGATE.sub("�", text)))
    extra = _extra(tuple(sorted({token for token in extra_tokens if len(token.strip()) > 1}, key=len, reverse=True)))
    folded = unicodedata.normalize("NFKC", text)
    if folded != text and _count(folded, extra) > _count(text, extra):
        text = folded  # a tokenizer that normalises would see a marker that is not in the text as written
    while True:
        before = text
        text = _MARKER.sub(_defuse, text)
        text = _BRACKET.sub(_defuse, text)
        if extra is not None:
            text = extra.sub(_break, text)
        if text == before:
            break
    text = _ROLE.sub(r"\1∶", text)
    text = _ROLE_LINE.sub(r"\1 ∶", text)
    return _IMAGE_LINK.sub("! ", text)


def _count(text: str, extra: re.Pattern[str] | None) -> int:
    patterns = [_MARKER, _BRACKET, *([extra] if extra else [])]
    return sum(len(pattern.findall(text)) for pattern in patterns)


def _defuse(match: re.Match[str]) -> str:
    return match[0].translate(_HARMLESS)


def _break(match: re.Match[str]) -> str:
    """A token of the tokenizer at hand with its brackets changed, or with a dot after its first character."""
    token = match[0]
    changed = token.translate(_HARMLESS)
    return changed if changed != token else f"{token[0]}·{token[1:]}"


@lru_cache(maxsize=64)
def _extra(tokens: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, tokens))) if tokens else None
