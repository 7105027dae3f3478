"""First and last names, as plain lists. Some are places or words as well (Jordan, Paris, Washington, May)."""

from __future__ import annotations


def names(*blocks: str) -> tuple[str, ...]:
    """Return the comma-separated names of ``blocks``, each once, in order."""
    return tuple(dict.fromkeys(" ".join(name.split()) for block in blocks for name in block.split(",")))


FIRST = names(
    """Aaron, Abigail, Adam, Adele, Adrian, Agnes, Ahmed, Aisha, Alan, Albert, Alejandro, Alex, Alexandra,
    Alfred, Alice, Alicia, Alison, Amanda, Amelia, Amina, Amir, Amy, Ana, Anders, Andrea, Andrew, Anita,
    Anna, Anthony, Antonio, Arjun, Arthur, Astrid, Austin, Barbara, Beatrice, Ben, Benjamin, Bernard,
    Beth, Bill, Brandon, Brian, Bridget, Brooklyn, Bruce, Camila, Carl, Carla, Carlos, Carmen, Carol,
    Caroline, Catherine, Cecilia, Charles, Charlotte, Chelsea, Chen, Chloe, Christian, Christine, Claire,
    Clara, Colin, Connor, Craig, Dakota, Daniel, Daniela, David, Dean, Deborah, Denise, Dennis, Diana,
    Diego, Dmitri, Dominic, Donald, Dorothy, Douglas, Dylan, Edith, Edward, Elena, Eleanor, Eli,
    Elizabeth, Ella, Ellen, Emil, Emily, Emma, Eric, Erika, Esther, Ethan, Eva, Evelyn, Farah, Fatima,
    Felix, Fernando, Fiona, Florence, Frances, Francis, Frank, Freya, Gabriel, Gareth, Gary, George,
    Georgia, Gerald, Gina, Giulia, Gloria, Grace, Graham, Grant, Greg, Greta, Hannah, Harold, Harriet,
    Harry, Hassan, Hazel, Heather, Hector, Heidi, Helen, Henrik, Henry, Hiroshi, Hugo, Ian, Ibrahim,
    Imran, Ingrid, Irene, Isaac, Isabel, Ivan, Ivy, Jack, Jackson, Jacob, James, Jamie, Jane, Janet,
    Jasmine, Jason, Javier, Jay, Jean, Jennifer, Jeremy, Jessica, Jill, Joan, Joanna, Joel, Johan, John,
    Jonathan, Jordan, Jorge, Joseph, Joshua, Joy, Juan, Judith, Julia, Julian, Karen, Karim, Karl, Kate,
    Katherine, Keith, Kenji, Kenneth, Kevin, Kim, Kira, Kofi, Kyle, Lars, Laura, Lauren, Leah, Lee, Leila,
    Leo, Leon, Leonard, Liam, Lily, Lincoln, Linda, Lisa, Logan, Louis, Louise, Lucas, Lucy, Luis, Luke,
    Lydia, Madison, Malik, Marco, Margaret, Maria, Marie, Mark, Marta, Martin, Mary, Mateo, Matthew,
    Maurice, Max, May, Megan, Mehmet, Melissa, Mia, Michael, Miguel, Mikhail, Miles, Miriam, Mohammed,
    Molly, Monica, Nadia, Naomi, Natalie, Nathan, Neil, Nicholas, Nicole, Nigel, Nina, Noah, Nora, Olga,
    Oliver, Olivia, Omar, Oscar, Owen, Pablo, Paige, Pamela, Paris, Patricia, Patrick, Paul, Paula, Pedro,
    Penny, Peter, Philip, Phoebe, Phoenix, Pierre, Priya, Rachel, Rafael, Ravi, Raymond, Rebecca, Ricardo,
    Richard, Rita, Robert, Robin, Roger, Rosa, Rose, Ruby, Ruth, Ryan, Sadia, Salma, Sam, Samantha,
    Samuel, Sandra, Sara, Scott, Sean, Sebastian, Sergio, Shannon, Sharon, Simon, Sofia, Sonia, Sophie,
    Stefan, Stella, Stephen, Steven, Stuart, Susan, Sven, Sydney, Sylvia, Takeshi, Tamara, Tanya, Tara,
    Teresa, Thomas, Tina, Todd, Tony, Ursula, Valerie, Vanessa, Vera, Victor, Victoria, Vikram, Vincent,
    Violet, Virginia, Walter, Wayne, Wendy, Will, William, Winston, Yasmin, Yusuf, Yuki, Zachary, Zainab,
    Zoe, Stephanie, Michelle, Nelson, Serena, Usain, Novak, Barack, Hillary, Elon, Justin, Taylor, Kanye,
    Meryl, Viola, Keanu, Satya, Sundar, Indira, Giorgia, Ursula, Jacinda, Boris, Theresa, Vladimir,
    Emmanuel, Recep, Shinzo, Cristiano, Lionel, Neymar, Kylian, Zinedine, Alfredo, Bjorn, Rory, Tiger"""
)
LAST = names(
    """Abbott, Abe, Adams, Adeyemi, Ahmad, Aldridge, Alvarez, Andersen, Anderson, Archer, Armstrong, Arnold,
    Atkinson, Bailey, Baker, Banerjee, Banks, Barnes, Barrett, Bates, Becker, Bell, Bennett, Berg,
    Bergman, Bianchi, Bishop, Black, Blake, Bloom, Bond, Booth, Bowman, Bradley, Brooks, Brown, Bryant,
    Burke, Burns, Bush, Butler, Byrne, Campbell, Carlson, Carpenter, Carr, Carson, Carter, Castillo,
    Castro, Chambers, Chan, Chang, Chapman, Chavez, Chen, Chopra, Clark, Cohen, Cole, Coleman, Collins,
    Conrad, Cooper, Costa, Craig, Crawford, Cross, Cruz, Cunningham, Curtis, Dalton, Davies, Davis,
    Dawson, Day, Dean, Delgado, Desai, Diaz, Dixon, Doyle, Dubois, Duncan, Dunn, Edwards, Eriksson, Evans,
    Farmer, Ferguson, Fernandez, Ferrari, Fischer, Fisher, Fleming, Fletcher, Flores, Ford, Forster,
    Foster, Fowler, Fox, Francis, Franklin, Fraser, Freeman, Friedman, Fuchs, Fuentes, Garcia, Gardner,
    Gibson, Gill, Goldberg, Gomez, Gonzalez, Gordon, Graham, Grant, Graves, Gray, Green, Greene, Griffin,
    Gupta, Gustafsson, Haas, Hall, Hamilton, Hansen, Hanson, Harper, Harris, Harrison, Hart, Harvey,
    Hassan, Hayes, Hernandez, Hill, Hoffman, Holland, Holmes, Holt, Horvath, Houston, Howard, Hudson,
    Hughes, Hunt, Hunter, Hussein, Ibrahim, Ito, Ivanov, Jackson, Jacobs, James, Jansen, Jenkins, Jensen,
    Johansson, Johnson, Jones, Jordan, Kane, Kaplan, Kapoor, Kaur, Keller, Kelly, Kennedy, Kent, Khan,
    Kim, King, Klein, Knight, Kovacs, Kowalski, Kumar, Lam, Lambert, Lancaster, Lane, Larsen, Lawrence,
    Lawson, Lee, Lehmann, Leonard, Leroy, Levy, Lewis, Li, Lincoln, Lindgren, Liu, Lloyd, Logan, Lopez,
    Lund, Lynch, MacDonald, Mancini, Marino, Marsh, Marshall, Martinez, Mason, Matthews, May, McCarthy,
    McKenzie, Medina, Mehta, Mendoza, Meyer, Miller, Mills, Mitchell, Moore, Morales, Moreau, Morgan,
    Morris, Morrison, Moss, Moyo, Mueller, Murphy, Murray, Myers, Nakamura, Nelson, Newman, Newton,
    Nguyen, Nielsen, Nkosi, Nolan, Novak, O'Brien, O'Connor, O'Neill, Obama, Okafor, Oliver, Olsen,
    Ortega, Osborne, Owens, Page, Palmer, Park, Parker, Parsons, Patel, Patterson, Pearce, Pearson,
    Pereira, Perez, Perry, Petersen, Petrov, Phillips, Pierce, Popov, Porter, Potter, Powell, Price,
    Putin, Quinn, Ramirez, Ramos, Rao, Ray, Reed, Reid, Reilly, Reyes, Rice, Richards, Richter, Rivera,
    Roberts, Robinson, Rodriguez, Rogers, Romano, Rose, Ross, Rossi, Rowe, Russell, Ryan, Sanchez,
    Sanders, Santos, Sato, Schmidt, Schneider, Scholz, Schroeder, Schultz, Scott, Shah, Sharma, Sharp,
    Shaw, Shelton, Silva, Simpson, Singh, Slater, Smith, Snow, Sokolov, Spencer, Stein, Stephens, Stevens,
    Stewart, Stone, Suarez, Sullivan, Suzuki, Swanson, Swift, Takahashi, Tanaka, Taylor, Thatcher,
    Thompson, Thornton, Torres, Townsend, Trump, Tucker, Turner, Tyler, Underwood, Vargas, Vasquez, Vega,
    Virtanen, Volkov, Wagner, Walker, Wallace, Walsh, Walters, Wang, Ward, Warner, Washington, Waters,
    Watson, Weaver, Webb, Weber, Webster, Wells, West, Wheeler, White, Wilkinson, Williams, Williamson,
    Wilson, Winters, Wolf, Wong, Wood, Woods, Wright, Wu, Yamamoto, Yang, York, Young, Zapata, Zhang,
    Zhao, Zimmerman, Ziegler, Biden, Macron, Blair, Clinton, Reagan, Modi, Trudeau, Erdogan, Zuckerberg,
    Bezos, Musk, Gates, Buffett, Federer, Nadal, Djokovic, Bolt, Messi, Ronaldo, Neuer, Klopp"""
)
PEOPLE = {
    "first": FIRST,
    "last": LAST,
    "initial": tuple(f"{letter}." for letter in "ABCDEFGHIJKLMNOPQRSTUVW"),
}
"""Name lists of people; initials are shared out between the splits like every other list."""

_FULL = ("{first} {last}", "{first} {last}", "{first} {last}", "{first} {last}", "{first} {initial} {last}")
PERSON_FORMS = {
    "full": ("person", _FULL),
    "given": ("person", ("{first}",)),
    "family": ("person", ("{last}",)),
    "person": ("person", (*_FULL, *_FULL, "{first}", "{last}", "{last}", "{first} {last} Jr.")),
}
