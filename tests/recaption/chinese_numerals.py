"""Numbers as Chinese writes them, the inverse of `recaption.numerals.parse_han`."""

DIGITS = "零一二三四五六七八九"


def write_han(number: int) -> str:
    """1 to 99,999,999: 一万零五, 十二, 三千四百."""
    high, low = divmod(number, 10_000)
    text = (_section(high) + "万" if high else "") + ("零" if high and 0 < low < 1000 else "") + _section(low)
    return text.removeprefix("一") if text.startswith("一十") else text


def _section(number: int) -> str:
    text, waiting = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            text += ("零" if waiting and text else "") + DIGITS[digit] + name
        waiting = not digit
    return text
