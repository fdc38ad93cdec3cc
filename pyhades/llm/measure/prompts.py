"""Prompts of rising length and difficulty, for measuring speed and precision."""

from __future__ import annotations

PROMPTS = (
    "What is the capital of France?",
    "Translate 'good morning' into Spanish, Italian and Portuguese.",
    "Explain in two sentences why the sky is blue during the day and red in the evening.",
    "Write a Python function that returns the n-th Fibonacci number without recursion.",
    "List the planets of the solar system by size, and say for each which year is the longest.",
    "A train leaves at 9:40 and arrives at 13:05. On the way it stops four times, for 5 minutes "
    "each. The distance is 310 kilometres. How fast is it on average while it moves?",
    "Compare merge sort, quicksort and heapsort: their time in the best, the average and the "
    "worst case, their memory, and whether they are stable. Say when you would use which.",
    "Here is a table: apples 3 at 0.50, pears 5 at 0.40, plums 12 at 0.15, one melon at 2.80. Work "
    "out each line, the sum, a discount of ten per cent on everything above five, and the change "
    "from twenty. Show every step and check the result in another way.",
    "Write a short story of five paragraphs about a lighthouse keeper who finds a letter that was "
    "written to him a hundred years ago. The first paragraph describes the weather, the second "
    "the letter, the third his doubts, the fourth a journey, and the last must end with the words "
    "'and the light turned'. Use no dialogue.",
    "Design a service that shortens links. Describe its interface, how identifiers are made, how "
    "they are stored, how the service stays fast when one link suddenly becomes popular, how "
    "abuse is noticed, how it is monitored and how it is moved to another region without a pause. "
    "Then estimate storage and traffic for a hundred million links a month, name the three parts "
    "that will fail first, and say what you would leave out of the first version and why.",
)
