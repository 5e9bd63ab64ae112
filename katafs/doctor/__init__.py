"""What is wrong with a machine, before katafs is mounted there or while it is: facts are asked for in the modules
`…_facts`, and judged in the others, which ask nobody. Knows neither the terminal nor which store it is."""
